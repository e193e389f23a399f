import type { ChannelOptions } from "@grpc/grpc-js";

const MiB = 1024 * 1024;

/**
 * For servers and clients of both planes: activations of a prefill step exceed gRPC's 4 MiB default and HTTP/2's 64 KiB
 * window; keep-alive pings notice a dead peer within 15 s; nothing is retried behind our back, since frames are not idempotent.
 */
export const CHANNEL_OPTIONS: ChannelOptions = {
  "grpc.max_receive_message_length": -1,
  "grpc.max_send_message_length": -1,
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.enable_retries": 0,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1_000,
  "grpc-node.flow_control_window": 16 * MiB,
};
