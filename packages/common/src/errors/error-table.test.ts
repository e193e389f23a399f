import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ERROR_TABLE } from "./error-table.js";

test("docs/errors.md explains every failure as the table has it", () => {
  const page = readFileSync(new URL("../../../../docs/errors.md", import.meta.url), "utf8");
  const explained = [...page.matchAll(/^\| `(\w+)` +\| (\d+) +\| (yes|no) +\| \S.* \| \S.* \|$/gm)].map(
    ([, code, http, retryable]) => ({ code, http: Number(http), retryable: retryable === "yes" }),
  );
  const rows = Object.entries(ERROR_TABLE).map(([code, { http, retryable }]) => ({ code, http, retryable }));
  expect(explained).toEqual(rows);
});
