/** An option of a scenario, as data: the command line makes a flag of it. */
export type ScenarioOption =
  | { readonly kind: "whole"; readonly about: string; readonly least: number; readonly initial: number }
  | { readonly kind: "decimal"; readonly about: string; readonly initial: number }
  | { readonly kind: "list"; readonly about: string; readonly initial: readonly number[]; readonly short?: string }
  | { readonly kind: "switch"; readonly about: string }
  | {
      readonly kind: "names";
      readonly about: string;
      readonly choices: readonly string[];
      readonly initial: readonly string[];
    }
  | { readonly kind: "range"; readonly about: string; readonly initial: readonly [least: number, most: number] }
  | { readonly kind: "choice"; readonly about: string; readonly choices: readonly string[]; readonly initial: string };

/** By name, in camel case: `promptTokens` becomes --prompt-tokens. */
export type ScenarioOptions = Readonly<Record<string, ScenarioOption>>;

type ValueOf<Option extends ScenarioOption> = Option extends { readonly kind: "list" }
  ? readonly number[]
  : Option extends { readonly kind: "switch" }
    ? boolean
    : Option extends { readonly kind: "range" }
      ? readonly [least: number, most: number]
      : Option extends { readonly kind: "names"; readonly choices: readonly (infer Choice)[] }
        ? readonly Choice[]
        : Option extends { readonly choices: readonly (infer Choice)[] }
          ? Choice
          : number;

/** What `run` gets: a value for each option. */
export type ValuesOf<Options extends ScenarioOptions> = { readonly [Name in keyof Options]: ValueOf<Options[Name]> };

/** A whole number, 1 or more unless `least` is less. */
export const count = (about: string, initial: number, least = 1) => ({ kind: "whole", about, least, initial }) as const;

/** A number, 0 or more, in the unit that `about` names. */
export const amount = (about: string, initial: number) => ({ kind: "decimal", about, initial }) as const;

/** Whole numbers, 1 or more each, separated by commas. */
export const counts = (about: string, initial: readonly number[], short?: string) =>
  ({ kind: "list", about, initial, ...(short !== undefined && { short }) }) as const;

/** Off unless given. */
export const flag = (about: string) => ({ kind: "switch", about }) as const;

/** Some of `choices`, separated by commas; all of them unless given. */
export const names = <const Choice extends string>(about: string, choices: readonly Choice[]) =>
  ({ kind: "names", about, choices, initial: choices }) as const;

/** Two whole numbers with two dots between them, 0 or more. */
export const range = (about: string, initial: readonly [least: number, most: number]) =>
  ({ kind: "range", about, initial }) as const;
