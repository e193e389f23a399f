import { join } from "node:path";
import { type JoinablePipeline, toRhoneError } from "@rhone/common";
import { untilReady } from "../cluster/cluster.js";
import { securityEnvironment } from "../cluster/cluster-security.js";
import { childEnvironment } from "../config.js";
import { toArguments } from "../processes/service-process.js";
import type { MemberPart, PartSources } from "./member-part.js";
import { redisEnvironment } from "./member-redis.js";

/**
 * The gateway of a machine that has joined, for all models of the cluster, of which it fetches the headers. Throws as
 * `redisEnvironment`.
 */
export async function gatewayPart(sources: PartSources): Promise<MemberPart> {
  const { options, config, dataDir, files, entryPoints, report } = sources;
  const redis = await redisEnvironment(options.places, config, report);
  const [first, ...more] = oneOfEach(options.places.pipelines);
  const name = first?.model ?? "";
  const template = (pipeline: JoinablePipeline | undefined) => options.chatTemplate ?? pipeline?.chatTemplate;
  const models = more.map((each) => ({ from: each.coordinator, name: each.model, chatTemplate: template(each) }));
  const flags = {
    host: options.host ?? "127.0.0.1",
    "model-name": name,
    "weights-from": first?.coordinator,
    "weights-dir": dataDir.weights,
    "chat-template": template(first),
    models: models.length === 0 ? undefined : JSON.stringify(models),
    storage: options.storage ?? dataDir.storage,
    "s3-endpoint": options.s3Endpoint,
    "s3-region": options.s3Region,
    "s3-path-style": options.s3PathStyle,
    auth: options.auth,
    "keys-command": "rhone keys create NAME, on the machine that made the cluster",
  };
  return {
    spec: (previous) => ({
      name: "gateway",
      socketVariable: "RHONE_GATEWAY_SOCKET",
      title: `Gateway ${options.name}`,
      entry: entryPoints.gateway,
      args: toArguments({ ...flags, port: previous?.http?.split(":").at(-1) ?? options.port }),
      env: childEnvironment({ ...securityEnvironment(dataDir, files), ...redis }),
      logFile: join(dataDir.logs, "gateway.log"),
      hungAfterMs: config.hungAfter * 1000,
    }),
    follow: async ({ http = "" }, stop) => {
      report({ kind: "phase", phase: "gateway", text: "waiting until it is ready", done: false });
      const place = `${options.name} serves ${[name, ...models.map((each) => each.name)].join(", ")} at http://${http}`;
      try {
        await untilReady(http, name, stop);
        report({ kind: "phase", phase: "gateway", text: "sees the cluster", done: true });
        report({ kind: "member", text: place });
      } catch (error) {
        if (stop.aborted) return;
        report({ kind: "member", text: `${place}; ${name} is not ready: ${toRhoneError(error).message}` });
      }
    },
  };
}

/** The first pipeline of each model, which has its header. */
function oneOfEach(pipelines: readonly JoinablePipeline[]): readonly JoinablePipeline[] {
  return pipelines.filter(({ model }, index) => pipelines.findIndex((other) => other.model === model) === index);
}
