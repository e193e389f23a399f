type Labels = Readonly<Record<string, string>>;

interface Sample {
  readonly name: string;
  readonly labels: Labels;
  readonly value: number;
}

/** The counters of a cluster's processes at one moment. */
export interface ClusterSamples {
  /** All coordinators together. */
  readonly coordinators: PrometheusSamples;
  /** One each, always in the same order. */
  readonly workers: readonly PrometheusSamples[];
}

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** One or more /metrics pages, read at one moment. */
export class PrometheusSamples {
  readonly #samples: readonly Sample[];

  private constructor(samples: readonly Sample[]) {
    this.#samples = samples;
  }

  /** Reads pages of the text format 0.0.4; equal series of several pages are added up. */
  static parse(pages: readonly string[]): PrometheusSamples {
    return new PrometheusSamples(pages.flatMap((page) => page.split("\n").flatMap(parseLine)));
  }

  /** The sum of all series with this name and these labels; 0 when there is none. */
  sum(name: string, labels: Labels = {}): number {
    return this.#matching(name, labels).reduce((total, { value }) => total + value, 0);
  }

  /** The values of a label in a metric, in numeric order: "2" before "10". */
  valuesOf(name: string, label: string): readonly string[] {
    const values = this.#matching(name, {}).flatMap(({ labels }) => labels[label] ?? []);
    return [...new Set(values)].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  }

  #matching(name: string, labels: Labels): readonly Sample[] {
    const wanted = Object.entries(labels);
    return this.#samples.filter(
      (sample) => sample.name === name && wanted.every(([label, value]) => sample.labels[label] === value),
    );
  }
}

function parseLine(line: string): Sample[] {
  const [, name, labels = "", value] = LINE.exec(line) ?? [];
  if (name === undefined) return [];
  return [{ name, labels: Object.fromEntries(labelsIn(labels)), value: Number(value) }];
}

function* labelsIn(text: string): Generator<readonly [string, string]> {
  for (const [, label = "", value = ""] of text.matchAll(LABEL)) {
    yield [label, value.replace(/\\(.)/g, (_, char: string) => (char === "n" ? "\n" : char))];
  }
}
