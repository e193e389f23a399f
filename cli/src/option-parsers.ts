import { InvalidArgumentError } from "commander";

export interface NumberRange {
  readonly least: number;
  readonly most?: number;
}

/** A parser for commander: a whole number within a range. */
export function wholeNumber({ least, most = Number.MAX_SAFE_INTEGER }: NumberRange): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    const range = most === Number.MAX_SAFE_INTEGER ? `${least} or more` : `${least} to ${most}`;
    throw new InvalidArgumentError(`It must be a whole number, ${range}.`);
  };
}

/** A parser for commander: a decimal number within a range. */
export function decimalNumber({ least, most = Number.MAX_VALUE }: NumberRange): (text: string) => number {
  return (text) => {
    const value = text.trim() === "" ? Number.NaN : Number(text);
    if (value >= least && value <= most) return value;
    const range = most === Number.MAX_VALUE ? `${least} or more` : `${least} to ${most}`;
    throw new InvalidArgumentError(`It must be a number, ${range}.`);
  };
}

export const port = wholeNumber({ least: 0, most: 65535 });
export const positive = wholeNumber({ least: 1 });
