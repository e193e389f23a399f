import { expect, test } from "vitest";
import { recordedCluster } from "../testing/recorded-cluster.js";
import { runCommand } from "../testing/run-command.js";
import { chosen, RestartWait, type Standing } from "./restart.js";

const services = ["redis", "coordinator-1", "coordinator-2", "worker-1", "worker-2", "gateway", "gateway"].map(
  (name, index) => ({ name, pid: index + 1, startedAt: "" }),
);

test.each([
  ["all", [], false, ["worker-1", "worker-2", "coordinator-1", "coordinator-2", "redis", "gateway"]],
  ["all but what is in memory", [], true, ["worker-1", "worker-2", "coordinator-1", "coordinator-2", "gateway"]],
  ["these, in the order that disturbs least", ["gateway", "worker-2"], false, ["worker-2", "gateway"]],
  ["what is in memory, if it is named", ["redis"], true, ["redis"]],
])("restarts %s", (_, names, inMemory, expected) => {
  expect(chosen(names, { services, inMemory })).toEqual(expected);
});

test("a name that no process has is refused, with those that there are", () => {
  const message = "No process to restart is called worker; there are worker-1, coordinator-1.";
  const two = services.filter(({ name }) => name.endsWith("r-1"));
  expect(() => chosen(["worker"], { services: two })).toThrow(expect.objectContaining({ code: "NOT_FOUND", message }));
});

test("a member of another machine's cluster is told what to do instead", async () => {
  const { root } = await recordedCluster({ joined: "front:7400" });
  const { error } = await runCommand("restart", "--data-dir", root);
  expect(error).toMatchObject({ code: "INVALID_CONFIG", message: expect.stringContaining(" leave --data-dir ") });
});

const ready = (changes: Partial<Standing["ready"][number]> = {}): Standing => ({
  gatewayPid: 1,
  ready: [{ id: "c", updatedAtMs: 0, workers: 3, sequences: 8, interrupted: 0, ...changes }],
});

/** What each look says, 200 ms apart from 0 on. */
const looks = (
  standings: readonly (Standing | null)[],
  about: Partial<ConstructorParameters<typeof RestartWait>[1]>,
) => {
  const wait = new RestartWait(ready(), { isCoordinator: false, oldPids: [], stoppedAtMs: 5000, ...about });
  return standings.map((standing, index) => wait.look(standing, 200 * index));
};

test("a restart is over once two statuses say that all who ran have had a token", () => {
  const away = { ...ready(), ready: [] };
  const paused = ready({ updatedAtMs: 1000, interrupted: 3 });
  const well = [1500, 1500, 2000].map((updatedAtMs) => ready({ updatedAtMs }));
  expect(looks([null, away, ready({ workers: 2 }), paused, ...well], {})).toEqual([
    ...Array.from({ length: 6 }, () => undefined),
    null,
  ]);
});

test("a status of the moment before is not believed", () => {
  const [before, after] = [ready({ updatedAtMs: 500 }), ready({ updatedAtMs: 1500, interrupted: 8 })];
  expect(looks([before, after, after], {})).toEqual([undefined, undefined, undefined]);
});

test("a coordinator that is lost meanwhile, and whose last status was well, is not waited for", () => {
  const next = [1000, 2000].map((updatedAtMs) => ready({ id: "d", updatedAtMs }));
  expect(looks([ready(), ready(), ...next], {})).toEqual([undefined, undefined, undefined, null]);
});

test("a gateway is not restarted while the one before answers", () => {
  expect(
    looks(
      [0, 1000, 2000].map((updatedAtMs) => ready({ updatedAtMs })),
      { oldPids: [1] },
    ),
  ).not.toContain(null);
});

test("a coordinator's successor has its jobs first, those that have not ended within 5 s", () => {
  const taking = (updatedAtMs: number) => ready({ id: "d", updatedAtMs, sequences: 7 });
  const standings = Array.from({ length: 40 }, (_, index) => taking(200 * index));
  expect(looks([ready(), ...standings], { isCoordinator: true }).indexOf(null)).toBe(30);
  expect(
    looks([taking(0), ...[0, 600].map((at) => ready({ id: "d", updatedAtMs: at }))], { isCoordinator: true }),
  ).toEqual([undefined, undefined, null]);
});

test("sequences that came later, and met another loss, are not waited for; those that ran before are", () => {
  const lost = (oldestInterruptedAtMs: number) =>
    [1000, 2000].map((updatedAtMs) => ready({ updatedAtMs, interrupted: 3, oldestInterruptedAtMs }));
  expect(looks(lost(5001), {})).toEqual([undefined, null]);
  expect(looks(lost(5000), {})).toEqual([undefined, undefined]);
});

test("pipelines that are lost again and again do not make the wait for tokens begin again", () => {
  const wait = new RestartWait(ready(), { isCoordinator: false, oldPids: [], stoppedAtMs: 5000 });
  const isAway = (at: number) => at % 60_000 === 50_000; // from each minute, 40 s count
  const times = Array.from({ length: 30 }, (_, index) => 10_000 * index);
  const said = times.map((at) => wait.look(isAway(at) ? null : ready({ interrupted: 1 }), at));
  expect(times[said.findIndex((each) => each !== undefined)]).toBe(190_000);
});

test("a restart whose sequences get no token is given up after two minutes, and one that is never ready after 15", () => {
  const wait = new RestartWait(ready(), { isCoordinator: false, oldPids: [], stoppedAtMs: 5000 });
  expect(wait.look(ready({ interrupted: 2 }), 0)).toBeUndefined();
  expect(wait.look(ready({ interrupted: 2 }), 120_001)).toBe(
    "sequences that ran before have had no token for 120 s since it was ready",
  );
  expect(wait.look(null, 15 * 60_000 + 1)).toBe("it and the pipelines are not ready after 15 min");
});
