export type Labels = Readonly<Record<string, string>>;

/** A metric with all its series. */
export interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** `suffix`: behind the name, of a histogram's series. */
  readonly series: readonly { readonly suffix?: string; readonly labels: Labels; readonly value: number }[];
}

/** In Prometheus' text format. */
export function writeFamily({ name, help, type, series }: Family): string {
  const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
  for (const { suffix = "", labels, value } of series) lines.push(`${name}${suffix}{${written(labels)}} ${value}`);
  return `${lines.join("\n")}\n`;
}

function written(labels: Labels): string {
  let text = "";
  for (const label in labels) text += `${text === "" ? "" : ","}${label}="${escaped(labels[label] ?? "")}"`;
  return text;
}

/** Names of models may have any characters. */
const escaped = (value: string): string =>
  /[\\"\n]/.test(value) ? value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n") : value;
