import type { Sampler } from "@opentelemetry/sdk-trace";
import type { Sdk } from "./load-sdk.js";
import type { TracingConfig } from "./tracing-settings.js";

/** The sampler that OTEL_TRACES_SAMPLER names. */
export function samplerOf(sdk: Sdk["traces"], { tracesSampler, tracesSamplerArg }: TracingConfig): Sampler {
  const root = rootSampler(sdk, tracesSampler.replace("parentbased_", ""), tracesSamplerArg);
  return tracesSampler.startsWith("parentbased_") ? new sdk.ParentBasedSampler({ root }) : root;
}

function rootSampler(sdk: Sdk["traces"], name: string, share: number): Sampler {
  if (name === "always_on") return new sdk.AlwaysOnSampler();
  return name === "always_off" ? new sdk.AlwaysOffSampler() : new sdk.TraceIdRatioBasedSampler(share);
}
