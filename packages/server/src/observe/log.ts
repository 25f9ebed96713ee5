/** Structured logs: one JSON object a line, on stderr, written before the call returns. */
import pino from "pino";
import { redactFields, redactText } from "./redact.ts";

export type LogLevel = "debug" | "info" | "warn" | "error";

type LogFields = Readonly<Record<string, unknown>>;

/** What the rooms of the server log to. Secrets are taken out of fields and message on the way. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A log that adds these fields to each line. */
  child(fields: LogFields): Log;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** Takes each finished line, newline included; stderr where left out. */
  readonly write?: (line: string) => void;
}

export function makeLog(options: LogOptions): Log {
  const { write } = options;
  const destination = write === undefined ? pino.destination({ dest: 2, sync: true }) : { write };
  const logger = pino(
    {
      level: options.level,
      base: null,
      messageKey: "message",
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: {}, // an error is written like any other field, without its secrets
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  );
  return wrap(logger);
}

/** For tests and commands that log nothing. */
export const silentLog: Log = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  child: () => silentLog,
};

function ignore(): void {
  // nothing is wanted of it
}

function wrap(logger: pino.Logger): Log {
  const line = (level: LogLevel) => (fields: LogFields, message: string) => {
    if (logger.isLevelEnabled(level)) logger[level](redactFields(fields), redactText(message));
  };
  return {
    debug: line("debug"),
    info: line("info"),
    warn: line("warn"),
    error: line("error"),
    child: (fields) => wrap(logger.child(redactFields(fields))),
  };
}
