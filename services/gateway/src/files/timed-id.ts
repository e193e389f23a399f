import { randomBytes } from "node:crypto";

/** 24 hexadecimal digits whose order is that of their making: 12 of the time in milliseconds, 12 drawn. */
export const timedId = (nowMs: number = Date.now()): string =>
  nowMs.toString(16).padStart(12, "0") + randomBytes(6).toString("hex");

/** When an id that ends with a timed id was made, in Unix milliseconds. */
export const madeAtMs = (id: string): number => Number.parseInt(id.slice(-24, -12), 16);
