import { signal } from "@preact/signals";

const KEPT = "rhone.key";
const API_KEY = /^rhone_sk_/;

/** The API key, or the cluster's secret, that was typed; kept until the tab closes, and in no address. */
export const credential = signal<string>(sessionStorage.getItem(KEPT) ?? "");

/** Why a key is asked for, in the gateway's words; null: none is. */
export const refusal = signal<string | null>(null);

/** Uses what was typed from now on; "" = nothing. */
export function use(typed: string): void {
  const trimmed = typed.trim();
  if (trimmed === "") sessionStorage.removeItem(KEPT);
  else sessionStorage.setItem(KEPT, trimmed);
  credential.value = trimmed;
  refusal.value = null;
}

/** The header that shows it. */
export function credentials(): Readonly<Record<string, string>> {
  const typed = credential.peek();
  if (typed === "") return {};
  return API_KEY.test(typed) ? { authorization: `Bearer ${typed}` } : { "x-rhone-secret": typed };
}
