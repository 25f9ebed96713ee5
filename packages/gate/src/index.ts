/** The occupancy gate and the webhook receiver: what a back-end installs beside the `pusher` library. */
export type { Change } from "./change.ts";
export type { Counters } from "./counters.ts";
export { createGate, type Gate } from "./gate.ts";
export { GateError, type GateErrorCode } from "./gate-error.ts";
export type { OccupiedHandler } from "./handlers.ts";
export { memoryStore } from "./memory/memory-store.ts";
export type { NodeRequest, NodeResponse } from "./node-receiver.ts";
export type { GateOptions } from "./options.ts";
export type { Publisher, Token, TriggerParams } from "./publisher.ts";
export type { ReceiverOptions } from "./receiver.ts";
export type { RedisCommands } from "./redis/commands.ts";
export { type RedisStoreOptions, redisStore } from "./redis/redis-store.ts";
export type { OpenStream } from "./signed-stream.ts";
export type { GateStore } from "./store.ts";
export type { Time } from "./time.ts";
export type { WebhookEvent } from "./webhook-body.ts";
