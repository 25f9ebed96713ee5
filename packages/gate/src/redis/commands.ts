import { GateError } from "../gate-error.ts";

/** All that the gate asks of a Redis client. An object of this form may be given in place of a client. */
export interface RedisCommands {
  /** EVAL: the script by its text. */
  runScript(script: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
  /** EVALSHA: the script by its SHA-1. Rejects with Redis's own text, which begins with NOSCRIPT, where it is not loaded. */
  runScriptBySha(sha: string, keys: readonly string[], args: readonly string[]): Promise<unknown>;
}

type Call = (...args: unknown[]) => Promise<unknown>;

/**
 * The commands of a client of `ioredis`, of `redis` (node-redis) or of Bun. They are told apart by their methods, so that
 * none of them is imported.
 *
 * @throws GateError for anything else
 */
export function redisCommands(client: object): RedisCommands {
  if (method(client, "runScript") && method(client, "runScriptBySha")) return client as RedisCommands; // as its methods say
  const [evalText, evalSha] = [method(client, "eval"), method(client, "evalSha")];
  if (evalText && evalSha) {
    return {
      runScript: (script, keys, args) => evalText(script, { keys: [...keys], arguments: [...args] }),
      runScriptBySha: (sha, keys, args) => evalSha(sha, { keys: [...keys], arguments: [...args] }),
    };
  }
  const evalsha = method(client, "evalsha");
  if (evalText && evalsha) {
    return {
      runScript: (script, keys, args) => evalText(script, keys.length, ...keys, ...args),
      runScriptBySha: (sha, keys, args) => evalsha(sha, keys.length, ...keys, ...args),
    };
  }
  const send = method(client, "send"); // Bun before it had methods for scripts
  if (send) {
    const command = (name: string, script: string, keys: readonly string[], args: readonly string[]) =>
      send(name, [script, String(keys.length), ...keys, ...args]);
    return {
      runScript: (script, keys, args) => command("EVAL", script, keys, args),
      runScriptBySha: (sha, keys, args) => command("EVALSHA", sha, keys, args),
    };
  }
  throw new GateError(
    "options_invalid",
    "redisStore was given no Redis client that it knows: pass one of ioredis, redis or Bun, " +
      "or an object with the methods runScript and runScriptBySha",
  );
}

function method(client: object, name: string): Call | undefined {
  const found: unknown = Reflect.get(client, name);
  return typeof found === "function" ? (...args) => Reflect.apply(found, client, args) : undefined;
}
