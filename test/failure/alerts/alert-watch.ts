import { expect } from "vitest";
import { ruleTexts } from "../../cluster/monitoring-files.js";
import { Prometheus } from "../../cluster/prometheus.js";

export const PATIENCE = { timeout: 120_000, interval: 250 };

/** Windows of the rules, and the same here; waits become one second. Thresholds stay as they are. */
const SHORTER: Readonly<Record<string, string>> = {
  "[1h:1m]": "[45s:1s]",
  "[1m]": "[5s]",
  "[5m]": "[15s]",
  "[10m]": "[20s]",
  "[15m]": "[90s]",
  "[30m]": "[20s]",
  "[1h]": "[30s]",
  "[6h]": "[45s]",
};

function shortened(text: string): string {
  const windows = text.replaceAll(/\[\d+[mh](?::1m)?\]/g, (window) => {
    const shorter = SHORTER[window];
    if (shorter === undefined) throw new Error(`There is no shorter window for ${window}`);
    return shorter;
  });
  return windows.replaceAll(/for: \d+[sm]/g, "for: 1s");
}

export interface Fault {
  readonly alerts: readonly string[];
  readonly fault: string;
  /** The fault is there from the beginning when absent. */
  readonly make?: () => unknown;
  readonly mend: () => unknown;
}

/** What was seen of one alert. */
interface Sighting {
  readonly alert: string;
  readonly fault: string;
  readonly labels: string;
  readonly firedAfterS: number;
  readonly clearedAfterS: number;
}

/** A Prometheus that scrapes and evaluates the rules every second, and what it said of alerts. */
export class AlertWatch {
  readonly prometheus: Prometheus;
  readonly #sightings: Sighting[] = [];

  private constructor(prometheus: Prometheus) {
    this.prometheus = prometheus;
  }

  /** `targets`: URL of a gateway's list, for `secret` as a bearer's. */
  static async start({ targets, secret }: { readonly targets: string; readonly secret: string }): Promise<AlertWatch> {
    const found = [{ url: targets, refresh_interval: "1s", authorization: { credentials: secret } }];
    const prometheus = await Prometheus.start({
      config: {
        global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
        scrape_configs: [{ job_name: "rhone", http_sd_configs: found }],
      },
      rules: Object.fromEntries(Object.entries(ruleTexts()).map(([name, text]) => [name, shortened(text)])),
    });
    return new AlertWatch(prometheus);
  }

  /** Makes a fault, waits until its alerts fire, mends it, and waits until they are over. */
  async expectAlerts({ alerts, fault, make, mend }: Fault): Promise<void> {
    const already = async () => (await this.#firing()).filter((name) => alerts.includes(name));
    if (make !== undefined)
      await expect.poll(already, { ...PATIENCE, message: `${fault}: alerts before it` }).toEqual([]);
    const begun = performance.now();
    const fired = new Map<string, { readonly afterS: number; readonly labels: string }>();
    const made = Promise.resolve(make?.());
    made.catch(() => {}); // awaited below
    await expect
      .poll(
        async () => {
          for (const { labels, state } of await this.prometheus.alerts()) {
            const { alertname = "", ...others } = labels;
            if (state !== "firing" || fired.has(alertname)) continue;
            fired.set(alertname, { afterS: (performance.now() - begun) / 1000, labels: JSON.stringify(others) });
          }
          return alerts.filter((name) => !fired.has(name));
        },
        { ...PATIENCE, message: `${fault}: alerts that did not fire` },
      )
      .toEqual([]);
    await mend();
    await made;
    const mended = performance.now();
    for (const alert of alerts) {
      const isOver = async () => !(await this.prometheus.alerts()).some(({ labels }) => labels.alertname === alert);
      await expect.poll(isOver, { ...PATIENCE, message: `${alert} does not end` }).toBe(true);
      const { afterS, labels } = fired.get(alert) ?? { afterS: Number.NaN, labels: "" };
      const clearedAfterS = (performance.now() - mended) / 1000;
      this.#sightings.push({ alert, fault, labels, firedAfterS: afterS, clearedAfterS });
    }
  }

  /** Names of alerts in the rules that have not been seen to fire and to end. */
  get unseen(): readonly string[] {
    const named = Object.values(ruleTexts()).join("\n");
    const seen = new Set(this.#sightings.map(({ alert }) => alert));
    const all = [...named.matchAll(/- alert: (\w+)/g)].map(([, name = ""]) => name);
    return all.filter((name) => !seen.has(name));
  }

  /** A page about what was seen. */
  report(): string {
    const row = ({ alert, fault, labels, firedAfterS, clearedAfterS }: Sighting) =>
      `| ${alert} | ${fault} | \`${labels}\` | ${firedAfterS.toFixed(1)} | ${clearedAfterS.toFixed(1)} |`;
    return `# Alerts, each by its fault

Simulated stages, one Prometheus that scrapes and evaluates every second, the rules of deploy/monitoring with shorter
windows (${Object.entries(SHORTER)
      .map(([from, to]) => `${from} as ${to}`)
      .join(", ")}) and waits of one second, and
thresholds as they are. "Fired" and "cleared" are what Prometheus' API said of each alert, in seconds after the fault
was made and after it was mended.

| alert | fault | labels | fired | cleared |
| ----- | ----- | ------ | ----: | ------: |
${this.#sightings.map(row).join("\n")}
`;
  }

  stop(): Promise<void> {
    return this.prometheus.stop();
  }

  async #firing(): Promise<readonly string[]> {
    const all = await this.prometheus.alerts();
    return all.flatMap(({ labels, state }) => (state === "firing" ? [labels.alertname ?? ""] : []));
  }
}
