// The schemas by name, read from the files beside this one when they are asked for.
import { readdirSync, readFileSync } from "node:fs";

const root = new URL("./", import.meta.url);
const isSchema = (path) => path.endsWith(".json") && !path.startsWith("package") && !path.startsWith("node_modules");

/** The names of all schemas, such as "stdout" or "messages/user". */
export const names = readdirSync(root, { recursive: true })
  .map((path) => path.replaceAll("\\", "/"))
  .filter(isSchema)
  .map((path) => path.slice(0, -".json".length))
  .sort();

/** One schema by name, as it is in its file. */
export function schema(name) {
  if (!names.includes(name)) throw new RangeError(`no schema is named ${JSON.stringify(name)}`);
  return JSON.parse(readFileSync(new URL(`${name}.json`, root), "utf8"));
}

/** All schemas, to be given to a validator that follows references: `ajv.addSchema(schemas())`. */
export function schemas() {
  return names.map(schema);
}
