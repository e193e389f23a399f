import { createLogger, type Frame, FrameLink, RhoneError, Shutdown } from "@rhone/common";
import { FairRate, WeightServer } from "@rhone/weights";
import { expect, onTestFinished, test, vi } from "vitest";
import { PLAINTEXT } from "../testing/plaintext.js";
import { WorkerRegistry } from "../workers/worker-registry.js";
import type { Epoch } from "./epoch.js";
import type { Pipeline } from "./pipeline.js";
import { serveWorkers } from "./serve-workers.js";

const logger = createLogger({ service: "test", level: "silent" });

/** An epoch that only notes what is done to it. */
function fakeEpoch(number: number) {
  const accepted: (number | null | undefined)[] = [];
  return {
    accepted,
    owns: (frame: Frame) => frame.epoch === number,
    accept: (frame: Frame) => void accepted.push(frame.step),
    notItsSender: vi.fn<(sender: object) => RhoneError | null>(() => null),
    break: vi.fn<(error: RhoneError) => void>(),
  };
}

/** A served port, whose current epoch the test sets, and last stages that send to it. */
async function startServing() {
  const pipeline: { epoch: ReturnType<typeof fakeEpoch> | null } = { epoch: null };
  const shutdown = new Shutdown(logger);
  onTestFinished(() => shutdown.run());
  const port = await serveWorkers({
    host: "127.0.0.1",
    port: 0,
    security: PLAINTEXT,
    mostFrameBytes: 2 ** 20,
    registry: new WorkerRegistry(logger),
    pipeline: pipeline as { epoch: Epoch | null } as Pipeline,
    weights: new WeightServer({
      served: async () => null,
      rate: new FairRate(() => Number.POSITIVE_INFINITY),
      onSent: () => {},
      logger,
    }),
    shutdown,
  });
  const openLink = (onBroken: (error: RhoneError) => void = () => {}): FrameLink => {
    const link = new FrameLink({
      address: `127.0.0.1:${port}`,
      security: PLAINTEXT,
      expect: { role: "coordinator" },
      peer: "the coordinator",
      onBroken,
    });
    onTestFinished(() => link.close());
    return link;
  };
  return { pipeline, openLink };
}

test("frames go to the epoch that owns them; the others are dropped", async () => {
  const { pipeline, openLink } = await startServing();
  const epoch = fakeEpoch(2);
  pipeline.epoch = epoch;
  const link = openLink();
  for (const [step, number] of [1, 2, 3, 2].entries()) link.send({ pipeline: "p", epoch: number, step });
  await vi.waitFor(() => expect(epoch.accepted).toEqual([1, 3]));
});

test("an epoch breaks when the stream that carried its frames ends", async () => {
  const { pipeline, openLink } = await startServing();
  const epoch = fakeEpoch(1);
  pipeline.epoch = epoch;
  const link = openLink();
  link.send({ epoch: 1, step: 1 });
  await vi.waitFor(() => expect(epoch.accepted).toEqual([1]));
  link.close();
  await vi.waitFor(() => expect(epoch.break).toHaveBeenCalledTimes(1));
  expect(epoch.break.mock.calls[0]?.[0]).toMatchObject({
    code: "WORKER_LOST",
    message: "The last stage's connection to the coordinator ended.",
  });
});

test("an epoch outlives the end of a stream that carried none of its frames", async () => {
  const { pipeline, openLink } = await startServing();
  const [old, current] = [fakeEpoch(1), fakeEpoch(2)];
  pipeline.epoch = old;
  const [first, second] = [openLink(), openLink()];
  first.send({ epoch: 1, step: 1 });
  await vi.waitFor(() => expect(old.accepted).toEqual([1]));
  pipeline.epoch = current;
  second.send({ epoch: 2, step: 1 });
  await vi.waitFor(() => expect(current.accepted).toEqual([1]));
  first.close();
  await vi.waitFor(() => expect(old.break).toHaveBeenCalledTimes(1));
  expect(current.break).not.toHaveBeenCalled();
});

test("a sender that is not the last stage is refused by name, and its frames are dropped", async () => {
  const { pipeline, openLink } = await startServing();
  const epoch = fakeEpoch(1);
  epoch.notItsSender.mockReturnValue(new RhoneError("FORBIDDEN_PEER", "Epoch 1 takes results of worker b only."));
  pipeline.epoch = epoch;
  const onBroken = vi.fn<(error: RhoneError) => void>();
  openLink(onBroken).send({ epoch: 1, step: 1 });
  await vi.waitFor(() => expect(onBroken).toHaveBeenCalledOnce());
  expect(onBroken.mock.calls[0]?.[0]).toMatchObject({
    code: "FORBIDDEN_PEER",
    message: "Epoch 1 takes results of worker b only.",
  });
  expect(epoch.accepted).toEqual([]);
  expect(epoch.break).not.toHaveBeenCalled();
});
