import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type ClusterStatus, hostPort, openSecurity, RhoneError } from "@rhone/common";
import { askForProbe } from "@rhone/identity";
import { fileStem, resolveModel } from "@rhone/model";
import { identityConfig, securityEnvironment } from "../cluster/cluster-security.js";
import { readStatus } from "../cluster/watch-pipeline.js";
import { childEnvironment, commandWriter } from "../config.js";
import { placeTowards } from "../enrollment/own-address.js";
import { toArguments } from "../processes/service-process.js";
import { plural } from "../terminal/format.js";
import type { MemberPart, PartSources } from "./member-part.js";
import { redisEnvironment } from "./member-redis.js";

const LOOK_MS = 1000;

/**
 * The coordinator of a machine that has joined: of a replica of a model that the cluster serves, or of a model that
 * this machine has. Workers join it. Throws as `redisEnvironment` and `resolveModel`, and NO_PIPELINE.
 */
export async function coordinatorPart(sources: PartSources): Promise<MemberPart> {
  const { options, config, dataDir, files, entryPoints, report } = sources;
  const redis = await redisEnvironment(options.places, config, report);
  const place = await placeTowards(options.door, options.advertise);
  const model = await modelFlags(sources, hostPort(place.advertise, options.port));
  const flags = {
    host: place.bind,
    "advertise-host": place.advertise,
    grow: "true",
    "ops-port": 0,
    "weights-dir": dataDir.weights,
    workers: options.workers,
    ...model,
  };
  const name = model["model-name"];
  report({ kind: "phase", phase: "coordinator", text: `starting, for ${name}`, done: false });
  return {
    spec: (previous) => ({
      name: "coordinator",
      title: `Coordinator ${options.name}`,
      entry: entryPoints.coordinator,
      args: toArguments({ ...flags, port: previous?.grpc?.split(":").at(-1) ?? options.port }),
      env: childEnvironment({ ...securityEnvironment(dataDir, files), ...redis }),
      logFile: join(dataDir.logs, "coordinator.log"),
      hungAfterMs: config.hungAfter * 1000,
    }),
    follow: async ({ grpc = "", ops = "" }, stop) => {
      const address = hostPort(place.advertise, grpc.split(":").at(-1) ?? "");
      await checkReached(sources, address);
      report({ kind: "phase", phase: "coordinator", text: `listening on ${address}`, done: true });
      const security = openSecurity(identityConfig(files));
      let last = "";
      try {
        for (; !stop.aborted; await sleep(LOOK_MS, undefined, { signal: stop }).catch(() => {})) {
          const status = await readStatus(ops, { security, signal: stop });
          const text = status === null ? last : `${options.name} at ${address}: ${describe(status, options.door)}`;
          if (text !== last) report({ kind: last === "" ? "member" : "note", text });
          last = text;
        }
      } finally {
        security.close();
      }
    },
  };
}

/** Throws UNREACHABLE, with what to open, when the machine that made the cluster can't connect to this coordinator. */
async function checkReached({ options, files, report }: PartSources, address: string): Promise<void> {
  const { door, name } = options;
  const problem = await askForProbe({ address: door, role: "coordinator", name, files }, address).catch(
    ({ message }: Error) => {
      report({ kind: "warning", text: `It is not known whether others reach this coordinator. ${message}` });
      return null;
    },
  );
  if (problem === null) return;
  const who = `The machine that made the cluster can't connect to this coordinator at ${address}`;
  throw new RhoneError("UNREACHABLE", `${who}, and so can't workers. ${problem}`);
}

interface ModelFlags {
  readonly "model-name": string;
  readonly [flag: string]: string | number | undefined;
}

/** Of the cluster's model with that name, else of a file of this machine. `self`: its address, before a restart too. */
async function modelFlags({ options, dataDir }: PartSources, self: string): Promise<ModelFlags> {
  const { places, model, door } = options;
  const others = places.pipelines.filter(({ coordinator }) => coordinator !== self);
  const replicated = model === undefined ? others[0] : others.find((pipeline) => pipeline.model === model);
  if (replicated === undefined) {
    if (model === undefined) throw new RhoneError("NO_PIPELINE", `The cluster at ${door} serves no model now.`);
    const { path, entry } = await resolveModel(model, {
      modelsDir: dataDir.models,
      rhone: commandWriter(dataDir.root),
    });
    const name = entry?.name ?? fileStem(path);
    return { "model-path": path, "model-name": name, "sliding-window": entry?.slidingWindow };
  }
  const { serving } = replicated;
  if (serving === undefined) {
    throw new RhoneError("NO_PIPELINE", `The cluster at ${door} does not serve yet. Try again when it is ready.`);
  }
  return {
    "weights-from": replicated.coordinator,
    "model-name": replicated.model,
    "sliding-window": serving.slidingWindow,
    context: serving.context,
    "kv-type": serving.kvType,
    "activation-type": serving.activationType,
    simulated: serving.simulated ? "true" : undefined,
  };
}

function describe({ model, state, reason, workers }: ClusterStatus, door: string): string {
  const all = plural(workers.length, "worker");
  if (workers.length > 0) return state === "ready" ? `${model.name}, ${all}` : `${model.name}, ${all}: ${reason}`;
  return `${model.name}, without workers. They join by: rhone join ${door} TOKEN --model ${model.name}`;
}
