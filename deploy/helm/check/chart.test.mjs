import { beforeAll, describe, expect, it } from "vitest";
import { chartChecks, MODES, VALUES } from "./check.mjs";
import { copiedFiles, monitoringFiles } from "./monitoring.mjs";
import { openTools } from "./tools.mjs";

const PATIENCE_MS = 120_000;

describe("the chart", () => {
  let checks;

  beforeAll(async () => {
    const tools = await openTools({ mayInstall: false });
    checks = "missing" in tools ? { missing: tools.missing } : chartChecks(tools);
  }, PATIENCE_MS);

  const withTools = (name, test) =>
    it(name, PATIENCE_MS, async ({ skip }) => {
      skip(checks.missing !== undefined, checks.missing);
      await test();
    });

  withTools("passes its unit tests", async () => {
    const told = await checks.unitTests();
    expect(told).toMatch(/^Tests: +(\d+) passed, \1 total$/m);
    expect(Number(/^Tests: +(\d+)/m.exec(told)[1])).toBeGreaterThan(40);
  });

  for (const mode of MODES) {
    for (const values of VALUES) {
      withTools(`is right in mode ${mode} with the values of ${values}`, async () => {
        expect(await checks.lint(mode, values)).toContain("1 chart(s) linted, 0 chart(s) failed");
        const summary = await checks.conform(await checks.render(mode, values));
        expect(summary).toMatch(/ (\d+) resources found .* - Valid: \1, Invalid: 0, Errors: 0, Skipped: 0$/);
      });
    }
  }

  withTools("is refused where a field has a typing error, also in a pod of a LeaderWorkerSet", async () => {
    const manifests = await checks.render("leaderworkerset", "minimal");
    const wrong = manifests.replaceAll("terminationGracePeriodSeconds: 90", "terminationGraceSeconds: 90");
    expect(wrong).not.toBe(manifests);
    await expect(checks.conform(wrong)).rejects.toMatchObject({
      stdout: expect.stringMatching(/LeaderWorkerSet r-rhone-pipeline is invalid: .*terminationGraceSeconds/),
    });
  });
});

it("has the rules and dashboards of deploy/monitoring (node deploy/helm/check/monitoring.mjs)", () => {
  expect(copiedFiles()).toEqual(monitoringFiles());
});
