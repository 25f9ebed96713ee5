import { type ProtocolError, protocolError } from "./errors.ts";
import { jsonText } from "./json-text.ts";
import type { Limits } from "./limits.ts";
import type { PresentMember } from "./server-message.ts";
import { bytesOver } from "./text-size.ts";

/** The member that a signed `channel_data` names. A numeric user_id becomes its decimal text. */
export function parseChannelData(
  channel: string,
  text: string,
  limits: Limits,
): PresentMember | ProtocolError {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return protocolError("channelDataInvalid", { channel, problem: "it is not JSON" });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return protocolError("channelDataInvalid", { channel, problem: "it is not a JSON object" });
  }
  const fields: { user_id?: unknown; user_info?: unknown } = value;
  const userId = typeof fields.user_id === "number" ? decimal(fields.user_id) : fields.user_id;
  if (typeof userId !== "string" || userId === "") {
    const problem = "user_id must be a non-empty string, or a whole number below 2^53";
    return protocolError("channelDataInvalid", { channel, problem });
  }
  if (userId.length > limits.maxUserIdChars) {
    return protocolError(
      "userIdTooLong",
      { channel },
      { limit: limits.maxUserIdChars, actual: userId.length },
    );
  }
  return member(channel, userId, fields.user_info, limits.maxMemberBytes);
}

/** A larger number would already have lost digits, and name somebody else. */
function decimal(id: number): string | undefined {
  return Number.isSafeInteger(id) ? String(id) : undefined;
}

function member(
  channel: string,
  userId: string,
  info: unknown,
  maxBytes: number,
): PresentMember | ProtocolError {
  const infoJson = info === undefined || info === null ? "{}" : jsonText(info);
  if (infoJson === undefined) {
    return protocolError("channelDataInvalid", { channel, problem: "user_info is nested too deeply" });
  }
  const tooLarge = bytesOver(infoJson, maxBytes);
  if (tooLarge === undefined) return { userId, infoJson };
  return protocolError("memberTooLarge", { channel }, { limit: maxBytes, actual: tooLarge });
}
