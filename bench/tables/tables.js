"use strict";

// Rows by account, table, partition key and row key. A row is the JSON that came, without its first brace.

const ROW = /^\/([^/]+)\/([^/(]+)\(PartitionKey='((?:[^']|'')*)',RowKey='((?:[^']|'')*)'\)$/;
const QUERY = /^\/([^/]+)\/([^/(]+)\(\)$/;
const TABLE = /^\/([^/]+)\/([^/(]+)$/;
const CONDITION = /(\w+) (eq|gt) '((?:[^']|'')*)'/g;
const MOST_IN_A_PAGE = 1000;

class Tables {
  constructor(conflictEvery) {
    this.conflictEvery = conflictEvery;
    this.replacements = 0;
    this.tables = new Map();
    this.saves = 0;
  }

  // What is answered: a status, and an etag, an error's code or a body with it.
  handle(method, target, ifMatch, text) {
    const mark = target.indexOf("?");
    const path = decodeURIComponent(mark < 0 ? target : target.slice(0, mark));
    const row = ROW.exec(path);
    if (row !== null) return this.ofRow(method, row, ifMatch, text);
    const query = QUERY.exec(path);
    if (query !== null && method === "GET") return this.query(query, new URLSearchParams(target.slice(mark + 1)));
    const table = TABLE.exec(path);
    if (table !== null && method === "POST") {
      return table[2] === "Tables" ? this.createTable(table[1], JSON.parse(text).TableName) : this.insert(table, text);
    }
    return { status: 501, code: "NotImplemented" };
  }

  createTable(account, name) {
    const key = `${account}/${name}`;
    if (this.tables.has(key)) return { status: 409, code: "TableAlreadyExists" };
    this.tables.set(key, new Map());
    return { status: 204 };
  }

  insert([, account, name], text) {
    const partitions = this.tables.get(`${account}/${name}`);
    if (partitions === undefined) return { status: 404, code: "TableNotFound" };
    const { PartitionKey, RowKey } = JSON.parse(text);
    if (partitions.get(PartitionKey)?.has(RowKey)) return { status: 409, code: "EntityAlreadyExists" };
    return this.save(partitions, PartitionKey, RowKey, text);
  }

  ofRow(method, [, account, name, quotedPartition, quotedKey], ifMatch, text) {
    const partitions = this.tables.get(`${account}/${name}`);
    if (partitions === undefined) return { status: 404, code: "TableNotFound" };
    const [partitionKey, rowKey] = [unquoted(quotedPartition), unquoted(quotedKey)];
    const row = partitions.get(partitionKey)?.get(rowKey);
    if (method === "PUT" && ifMatch === undefined) return this.save(partitions, partitionKey, rowKey, text);
    if (row === undefined) return { status: 404, code: "ResourceNotFound" };
    if (method === "GET") return { status: 200, etag: row.etag, body: told(row) };
    if (method !== "PUT" && method !== "DELETE") return { status: 501, code: "NotImplemented" };
    if (method === "PUT" && this.conflictEvery > 0 && ++this.replacements % this.conflictEvery === 0) {
      row.etag = this.nextEtag();
    }
    if (ifMatch !== undefined && ifMatch !== "*" && ifMatch !== row.etag) {
      return { status: 412, code: "UpdateConditionNotSatisfied" };
    }
    if (method === "PUT") return this.save(partitions, partitionKey, rowKey, text);
    partitions.get(partitionKey).delete(rowKey);
    return { status: 204 };
  }

  query([, account, name], parameters) {
    const partitions = this.tables.get(`${account}/${name}`);
    if (partitions === undefined) return { status: 404, code: "TableNotFound" };
    const conditions = [...(parameters.get("$filter") ?? "").matchAll(CONDITION)].map(
      ([, column, how, value]) => ({ column, how, value: unquoted(value) }),
    );
    const partition = conditions.find(({ column, how }) => column === "PartitionKey" && how === "eq");
    if (partition === undefined) return { status: 501, code: "NotImplemented" };
    const most = Number(parameters.get("$top") ?? MOST_IN_A_PAGE);
    const from = parameters.get("NextRowKey") ?? "";
    const found = [...(partitions.get(partition.value) ?? [])]
      .filter(([rowKey, row]) => {
        if (rowKey < from) return false;
        const columns = JSON.parse(`{${row.text}`);
        return conditions.every(({ column, how, value }) =>
          how === "eq" ? columns[column] === value : columns[column] > value,
        );
      })
      .sort(([one], [other]) => (one < other ? -1 : 1));
    const page = found.slice(0, most);
    return {
      status: 200,
      next: found.length > most ? { partitionKey: partition.value, rowKey: found[most][0] } : undefined,
      body: `{"value":[${page.map(([, row]) => told(row)).join(",")}]}`,
    };
  }

  save(partitions, partitionKey, rowKey, text) {
    let rows = partitions.get(partitionKey);
    if (rows === undefined) partitions.set(partitionKey, (rows = new Map()));
    const etag = this.nextEtag();
    rows.set(rowKey, { text: text.slice(1), etag, at: new Date().toISOString() });
    return { status: 204, etag };
  }

  nextEtag() {
    this.saves += 1;
    return `W/"datetime'${this.saves}'"`;
  }
}

function unquoted(text) {
  return text.includes("'") ? text.replaceAll("''", "'") : text;
}

function told({ text, etag, at }) {
  return `{"odata.etag":${JSON.stringify(etag)},"Timestamp":"${at}",${text}`;
}

module.exports = { Tables };
