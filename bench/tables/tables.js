"use strict";

// Rows by account, table, partition key and row key. A row is the JSON that came, without its first brace.

const ROW = /^\/([^/]+)\/([^/(]+)\(PartitionKey='((?:[^']|'')*)',RowKey='((?:[^']|'')*)'\)$/;
const QUERY = /^\/([^/]+)\/([^/(]+)\(\)$/;
const BATCH = /^\/([^/]+)\/\$batch$/;
const INSERTED = /^POST \S+\/(\w+) HTTP\/1\.1\r\n(?:.+\r\n)*\r\n(\{.*\})\r$/gm;
const TABLE = /^\/([^/]+)\/([^/(]+)$/;
const CONDITION = /(\w+) (eq|gt|ge|le) '((?:[^']|'')*)'/g;
const COMPARE = {
  eq: (one, other) => one === other,
  gt: (one, other) => one > other,
  ge: (one, other) => one >= other,
  le: (one, other) => one <= other,
};
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
    const batch = BATCH.exec(path);
    if (batch !== null && method === "POST") return this.insertAll(batch[1], text);
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

  // For filling tables. What cannot be inserted is told as it would be alone, and the others are there all the same.
  insertAll(account, text) {
    const answers = [...text.matchAll(INSERTED)].map(([, name, row]) => this.insert([, account, name], row));
    return { status: 202, body: answers.map(({ status, code }) => `HTTP/1.1 ${status} ${code ?? ""}\r\n`).join("") };
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

  // Keys are compared before a row is looked into, which takes most of the time.
  query([, account, name], parameters) {
    const partitions = this.tables.get(`${account}/${name}`);
    if (partitions === undefined) return { status: 404, code: "TableNotFound" };
    const conditions = { PartitionKey: [], RowKey: [], others: [] };
    for (const [, column, how, value] of (parameters.get("$filter") ?? "").matchAll(CONDITION)) {
      const holds = (told) => COMPARE[how](told, unquoted(value));
      if (conditions[column] === undefined) conditions.others.push((columns) => holds(columns[column]));
      else conditions[column].push(holds);
    }
    const most = Number(parameters.get("$top") ?? MOST_IN_A_PAGE);
    const [fromPartition, fromRow] = [parameters.get("NextPartitionKey") ?? "", parameters.get("NextRowKey") ?? ""];
    const page = [];
    for (const partitionKey of matching(partitions, fromPartition, conditions.PartitionKey)) {
      const rows = partitions.get(partitionKey);
      for (const rowKey of matching(rows, partitionKey === fromPartition ? fromRow : "", conditions.RowKey)) {
        const row = rows.get(rowKey);
        if (conditions.others.length > 0) {
          const columns = JSON.parse(`{${row.text}`);
          if (!conditions.others.every((holds) => holds(columns))) continue;
        }
        if (page.length === most) return answered(page, { partitionKey, rowKey });
        page.push(told(row));
      }
    }
    return answered(page);
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

// The keys of a map, from `from` on, that meet all conditions, in their order.
function matching(map, from, conditions) {
  return [...map.keys()].filter((key) => key >= from && conditions.every((holds) => holds(key))).sort();
}

function answered(page, next) {
  return { status: 200, next, body: `{"value":[${page.join(",")}]}` };
}

function told({ text, etag, at }) {
  return `{"odata.etag":${JSON.stringify(etag)},"Timestamp":"${at}",${text}`;
}

module.exports = { Tables };
