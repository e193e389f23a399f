import { formatTable } from "../../terminal/table.js";

/** Columns that all end flush; the first row is the heading. */
export function benchTable(rows: readonly (readonly string[])[]): string {
  return formatTable(rows, [...(rows[0] ?? []).keys()]);
}
