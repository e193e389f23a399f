import { signal } from "@preact/signals";
import { keep, kept } from "./browser-storage.ts";

const KEPT = "rhone.key";
const API_KEY = /^rhone_sk_/;

/** The API key, or the cluster's secret, that was typed; kept until the tab closes, and in no address. */
export const credential = signal<string>(kept("sessionStorage", KEPT));

/** How many times one was typed: the same one may be right by now. */
export const typings = signal(0);

/** Why a key is asked for, in the gateway's words; null: none is. */
export const refusal = signal<string | null>(null);

/** Uses what was typed from now on; "" = nothing. */
export function use(typed: string): void {
  const trimmed = typed.trim();
  keep("sessionStorage", KEPT, trimmed);
  credential.value = trimmed;
  refusal.value = null;
  typings.value++;
}

/** The header that shows it. */
export function credentials(): Readonly<Record<string, string>> {
  const typed = credential.peek();
  if (typed === "") return {};
  return API_KEY.test(typed) ? { authorization: `Bearer ${typed}` } : { "x-rhone-secret": typed };
}
