import type { RunningCluster } from "./start-cluster.js";

export interface ConstrainedAnswer {
  readonly status: number;
  readonly text: string;
  readonly finish: string | undefined;
  readonly param: string | undefined;
}

/** A chat completion at temperature 1; refusals are answers too. */
export async function askConstrained(cluster: RunningCluster, fields: object): Promise<ConstrainedAnswer> {
  const messages = [{ role: "user", content: "Answer." }];
  const response = await cluster.post("/v1/chat/completions", { messages, temperature: 1, ...fields });
  const body = (await response.json()) as {
    choices?: { message: { content: string }; finish_reason: string }[];
    param?: string;
  };
  const [choice] = body.choices ?? [];
  return {
    status: response.status,
    text: choice?.message.content ?? "",
    finish: choice?.finish_reason,
    param: body.param,
  };
}
