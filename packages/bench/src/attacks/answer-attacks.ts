import type { Attack, AttackedModel } from "./attack.js";
import type { Outgoing } from "./sender.js";

/** Clients leave after this time: on a slow cluster the answers take many minutes. */
const LEAVE_AFTER_MS = 45_000;

/** A chat with as many tokens as the context has room for, each with 20 alternatives. */
function widest({ contextLength }: AttackedModel, index: number): Outgoing {
  const body = {
    messages: [{ role: "user", content: `x${index}` }],
    max_tokens: Math.min(3900, contextLength - 64),
    logprobs: true,
    top_logprobs: 20,
    return_token_ids: true,
    ignore_eos: true,
  };
  return { path: "/v1/chat/completions", body, leaveAfterMs: LEAVE_AFTER_MS };
}

/** Answers that stay in the gateway's memory until they end, or until their clients read them. */
export const ANSWER_ATTACKS: readonly Attack[] = [
  {
    name: "samples-most",
    description: "eight requests for the best 16 of 20 samples with 20 log-probabilities per token",
    send: (sender) =>
      sender.repeat(8, (i) => {
        const samples = { n: 16, best_of: 20, logprobs: 20, max_tokens: 64, ignore_eos: true };
        return { path: "/v1/completions", body: { prompt: `${i} The`, ...samples } };
      }),
  },
  {
    name: "logprobs-whole",
    description: "60 chats at once that are answered whole, with 20 log-probabilities for each of 3,900 tokens",
    send: (sender, model) => sender.repeat(60, (i) => widest(model, i), { atOnce: 60 }),
  },
  {
    name: "logprobs-unread",
    description: "the same as streams that their clients do not read",
    send: (sender, model) => {
      const unread = (i: number) => {
        const { body, ...outgoing } = widest(model, i);
        return { ...outgoing, body: { ...(body as object), stream: true }, isUnread: true };
      };
      return sender.repeat(60, unread, { atOnce: 60 });
    },
  },
];
