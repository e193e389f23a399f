import { createLogger } from "@rhone/common";
import type { ModelPlan } from "@rhone/planner";
import { expect, test } from "vitest";
import { smallModel } from "../../../../packages/planner/src/testing/small-model.js";
import { fakeMember } from "../testing/fake-member.js";
import type { Member } from "../workers/member.js";
import type { SpareSpec } from "../workers/shard-loads.js";
import { SpareStages, type SparesSettings } from "./spare-stages.js";

const logger = createLogger({ service: "test", level: "silent" });

test("a worker without room for spare shards is told to hold none: it may have some of another plan", async () => {
  const layer = 100;
  const weights = smallModel(2, { layer, embedding: 0, head: 0 });
  const shape = { pageSize: 4, slidingWindow: 0, contextLength: 8, maxRows: 8 };
  const settings = { count: 1, modelRef: {}, weights, shape, pageBytes: 1 } as unknown as SparesSettings;
  const stage = (index: number) => ({
    ...{ worker: `w${index}`, stage: index, first: index, last: index + 1, embeds: index === 0, heads: index === 1 },
    ...{ weightBytes: layer, memoryTotal: layer + 50 },
  });
  const plan: ModelPlan = { stages: [stage(0), stage(1)], pages: 20 };
  const members = [fakeMember({ worker: "w0" }).member, fakeMember({ worker: "w1" }).member];
  const told = new Map<string, readonly unknown[]>();
  const holdSpares = async ({ worker }: Member, { stages }: SpareSpec) => void told.set(worker, stages);
  const spares = new SpareStages({ settings, loads: { holdSpares } as never, logger });
  spares.begin(plan, members, new AbortController().signal);
  expect([...told]).toEqual([
    ["w0", []],
    ["w1", []],
  ]);
});
