// Reads a JSON list of Kusto queries from standard input, and prints what is wrong with them as a JSON list of lists.
// The tables are those of Application Insights, as far as the queries use them, and those of docs/consumers.md.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { runInThisContext } from "node:vm";

const resolve = createRequire(import.meta.url).resolve;
for (const file of ["bridge.min.js", "Kusto.Language.Bridge.min.js"]) {
  // Scripts for a browser: they put themselves into the global object.
  runInThisContext(readFileSync(resolve(`@kusto/language-service-next/${file}`), "utf8"));
}

const TABLES = {
  traces: "(timestamp: datetime, message: string, severityLevel: int, itemCount: int, operation_Name: string)",
  requests: "(timestamp: datetime, name: string, success: string, itemCount: int, operation_Name: string)",
  exceptions: "(timestamp: datetime, type: string, outerMessage: string, innermostMessage: string, itemCount: int, operation_Name: string)",
  customMetrics:
    "(timestamp: datetime, name: string, valueCount: int, valueSum: real, valueMin: real, valueMax: real, customDimensions: dynamic)",
  ProfileExports: "(body: dynamic)",
  CurrentProfiles: "(destinationId: string, profileId: string, rank: long, body: dynamic)",
};
const { Symbols, GlobalState, KustoCode } = globalThis.Kusto.Language;
const tables = Object.entries(TABLES).map(([name, columns]) => new Symbols.TableSymbol.$ctor7(name, columns));
const state = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor("insights", tables));

function problems(query) {
  const found = KustoCode.ParseAndAnalyze(query, state).GetDiagnostics();
  return Array.from({ length: found.Count }, (_, index) => found.getItem(index).Message);
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(problems)));
