import { whyNoHosts as probe } from "@rhone/bench";
import { beforeEach } from "vitest";

/** Why hosts can't be made on this machine, or null. */
export const whyNoHosts: string | null = probe();

/** Skips every test of a file, with the reason, where hosts can't be made. */
export function skipWithoutHosts(): void {
  beforeEach(({ skip }) => skip(whyNoHosts !== null, whyNoHosts ?? ""));
}
