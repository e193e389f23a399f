import { randomBytes } from "node:crypto";

/** 24 hexadecimal digits whose order is that of their making: 12 of the time in milliseconds, 12 drawn. */
export const timedId = (nowMs: number = Date.now()): string =>
  nowMs.toString(16).padStart(12, "0") + randomBytes(6).toString("hex");
