import type { ApiKey } from "@rhone/common";
import { formatTable } from "../terminal/table.js";

/** A line per key. */
export function formatKeys(keys: readonly ApiKey[]): string {
  if (keys.length === 0) return "No keys. `rhone keys create NAME` makes one.";
  const rows = keys.map(({ id, name, requestsPerMinute, tokensPerMinute, createdAt }) => [
    id,
    name,
    formatLimit(requestsPerMinute),
    formatLimit(tokensPerMinute),
    new Date(createdAt * 1000).toISOString().slice(0, 16).replace("T", " "),
  ]);
  return formatTable([["id", "name", "requests/min", "tokens/min", "created"], ...rows], [2, 3]);
}

function formatLimit(limit: number | null): string {
  if (limit === null) return "default";
  return limit === 0 ? "no limit" : String(limit);
}

/** What is shown of a key: its digest would help nobody. */
export function keyObject({ id, name, requestsPerMinute, tokensPerMinute, createdAt }: ApiKey) {
  return {
    id,
    name,
    requests_per_minute: requestsPerMinute,
    tokens_per_minute: tokensPerMinute,
    created_at: createdAt,
  };
}
