import { expect, it } from "vitest";
import { serve } from "../../../packages/client/src/testing/serve.js";
import { clusterStatus, workerStatus } from "../testing/sample-status.js";
import { Whereabouts } from "./whereabouts.js";

const OWN = [
  { model: "a", coordinator: "10.0.0.1:7110", workers: 1, chatTemplate: "chatml" },
  { model: "b", coordinator: "10.0.0.1:7111", workers: 2 },
];

const status = (name: string, address: string | undefined, workers = 1) => {
  const { model, ...about } = clusterStatus(Array.from({ length: workers }, () => workerStatus("w", [0, 8])));
  return { ...about, ...(address !== undefined && { address }), model: { ...model, name } };
};

async function setup(coordinators: readonly object[]) {
  const secrets: unknown[] = [];
  const { url } = await serve((request, response) => {
    secrets.push(request.headers["x-rhone-secret"]);
    response.end(JSON.stringify({ coordinators }));
  });
  const whereabouts = new Whereabouts({ secret: () => "s3cret" });
  whereabouts.own = OWN;
  return { whereabouts, url, secrets };
}

it("joiners are told of this machine's pipelines until its gateway answers", async () => {
  const { whereabouts } = await setup([]);
  expect((await whereabouts.places()).pipelines).toEqual(OWN);
  whereabouts.gateway = "http://127.0.0.1:1";
  expect((await whereabouts.places()).pipelines).toEqual(OWN);
});

it("and then of all that it sees: this machine's first, which have the files, then replicas, then others", async () => {
  const seen = [
    status("c", "10.0.0.4:7110", 0),
    status("a", "10.0.0.3:7110"),
    status("b", "10.0.0.1:7111", 3),
    status("a", "10.0.0.1:7110"),
    status("old", undefined),
    status("hidden", ""),
  ];
  const { whereabouts, url, secrets } = await setup(seen);
  whereabouts.gateway = url;
  const { pipelines } = await whereabouts.places();
  expect(pipelines.map(({ model, coordinator, workers }) => [model, coordinator, workers])).toEqual([
    ["a", "10.0.0.1:7110", 1],
    ["b", "10.0.0.1:7111", 3],
    ["a", "10.0.0.3:7110", 1],
    ["c", "10.0.0.4:7110", 0],
  ]);
  expect(pipelines.map(({ chatTemplate }) => chatTemplate)).toEqual(["chatml", undefined, "chatml", undefined]);
  expect(pipelines[0]?.serving).toEqual({
    ...{ slidingWindow: 0, context: 4096, kvType: "f16", activationType: "f32" },
    simulated: false,
  });
  expect(secrets).toEqual(["s3cret"]);
});

it("a template that is a file is told as one, and Redis where it is passed on", async () => {
  const whereabouts = new Whereabouts({ secret: () => undefined, chatTemplate: "/t.jinja" });
  expect(await whereabouts.places()).toEqual({ pipelines: [], hasTemplateFile: true });
  whereabouts.redis = "rhone://10.0.0.1:7101";
  expect(await whereabouts.places()).toMatchObject({ redis: "rhone://10.0.0.1:7101" });
  expect((await new Whereabouts({ secret: () => undefined, chatTemplate: "chatml" }).places()).hasTemplateFile).toBe(
    false,
  );
});
