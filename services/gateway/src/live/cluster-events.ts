import type { ClusterEvent, ClusterStatus, WorkerStatus } from "@rhone/common";

type NewEvent = Omit<ClusterEvent, "id" | "atMs">;

/** What happened between two looks at the coordinators, in the order in which it is told. Pure. */
export function eventsBetween(
  before: readonly ClusterStatus[],
  now: readonly ClusterStatus[],
): readonly Omit<ClusterEvent, "id">[] {
  const earlier = new Map(before.map((status) => [status.coordinator, status]));
  const later = new Set(now.map(({ coordinator }) => coordinator));
  const gone = before.filter(({ coordinator }) => !later.has(coordinator));
  const lookedAtMs = Math.max(0, ...now.map(({ updatedAtMs }) => updatedAtMs));
  return [
    ...gone.map((status) => ({ ...goneEvent(status), atMs: Math.max(lookedAtMs, status.updatedAtMs) })),
    ...now.flatMap((status) => {
      const atMs = status.updatedAtMs;
      const known = earlier.get(status.coordinator);
      const events = known === undefined ? [appeared(status)] : changes(known, status);
      return events.map((event) => ({ ...event, atMs }));
    }),
  ];
}

const about = ({ model }: ClusterStatus, rest: Omit<NewEvent, "model">): NewEvent => ({ model: model.name, ...rest });

const goneEvent = (status: ClusterStatus): NewEvent =>
  about(status, { kind: "pipeline", level: "error", text: `Coordinator ${status.coordinator} is gone` });

function appeared(status: ClusterStatus): NewEvent {
  const { coordinator, epoch } = status;
  const text = `Coordinator ${coordinator} serves it: ${stateOf(status)}, epoch ${epoch}`;
  return about(status, { kind: "pipeline", level: levelOf(status), text });
}

function changes(before: ClusterStatus, now: ClusterStatus): readonly NewEvent[] {
  const held = new Map(before.workers.map((worker) => [worker.worker, worker]));
  const present = new Set(now.workers.map(({ worker }) => worker));
  const events: Omit<NewEvent, "model">[] = [];
  for (const { worker, layers } of before.workers) {
    const had = layers === null ? "a spare" : `layers ${shown(layers)}`;
    if (!present.has(worker)) events.push({ kind: "worker", level: "warn", text: `Worker ${worker} is gone (${had})` });
  }
  for (const worker of now.workers) {
    const known = held.get(worker.worker);
    if (known === undefined) events.push({ kind: "worker", level: "info", text: `Worker ${worker.worker} joined` });
    else if (worker.going !== known.going && worker.going !== undefined)
      events.push({ kind: "worker", level: "info", text: `Worker ${worker.worker} is ${worker.going}` });
  }
  if (now.state !== before.state) events.push({ kind: "pipeline", level: levelOf(now), text: capital(stateOf(now)) });
  if (now.epoch !== before.epoch) events.push({ kind: "epoch", level: "info", text: epochText(now) });
  return events.map((event) => about(now, event));
}

function epochText({ epoch, workers }: ClusterStatus): string {
  const stages = workers.flatMap(({ worker, layers }) => (layers === null ? [] : [{ worker, layers }]));
  const cut = stages.toSorted((a, b) => a.layers[0] - b.layers[0]);
  if (cut.length === 0) return `Epoch ${epoch}`;
  return `Epoch ${epoch}: ${cut.map(({ worker, layers }) => `${worker} has ${shown(layers)}`).join(", ")}`;
}

/** [0, 8) -> "0-7" */
const shown = ([first, last]: NonNullable<WorkerStatus["layers"]>): string => `${first}-${last - 1}`;

const stateOf = ({ state, reason }: ClusterStatus): string => {
  const words = state.replaceAll("_", " ");
  return reason === null || reason === words ? words : `${words}: ${reason}`;
};

const levelOf = ({ state }: ClusterStatus): ClusterEvent["level"] => {
  if (state === "ready") return "info";
  return state === "failed" ? "error" : "warn";
};

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);
