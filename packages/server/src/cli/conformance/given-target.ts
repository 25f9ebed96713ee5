/** What the flags of `earshot conformance` say about the server under test. */
import type { Loaded } from "#config/load";
import { Refused } from "#store/refused";
import { findTarget, TARGET_FORM } from "../target.ts";
import { ANSWER_MS, type Target } from "./target.ts";

export const CONFORMANCE_FLAGS = {
  ...TARGET_FORM.flags,
  only: "text",
  json: "text",
  prefix: "text",
  "other-node": "text",
  "webhook-listen": "text",
  "webhook-delay-ms": "text",
  "second-app": "text",
  "stop-pid": "text",
  slow: "boolean",
  insecure: "boolean",
} as const;

export type Given = Extract<Loaded<typeof CONFORMANCE_FLAGS>, { ok: true }>;

/** @throws Refused where a flag is not what it should be, or no server and no app can be found */
export async function targetOf({ settings, own }: Given): Promise<Target> {
  const { url, appId, pair, isFromFolder } = await findTarget(settings, own);
  const { prefix, "other-node": otherNode, "stop-pid": stopPid, slow } = own;
  if (prefix !== undefined && !/^\/.*[^/]$/.test(prefix))
    throw new Refused(`--prefix ${JSON.stringify(prefix)} is no path: write one such as /realtime.`);
  const pid = stopPid === undefined ? undefined : Number(stopPid);
  if (pid !== undefined && !(Number.isInteger(pid) && pid > 1))
    throw new Refused(`--stop-pid ${JSON.stringify(stopPid)} is no process id.`);
  const other = otherNode === undefined ? undefined : URL.parse(otherNode);
  if (other === null || (other !== undefined && !/^https?:$/.test(other.protocol)))
    throw new Refused(
      `--other-node ${JSON.stringify(otherNode)} is not the address of a server: write one such as http://127.0.0.1:6002.`,
    );
  return {
    url: new URL(url),
    app: { id: appId, key: pair.key, secret: pair.secret },
    answerMs: ANSWER_MS,
    isSlow: slow === true,
    isInsecure: own.insecure === true || isFromFolder,
    ...(prefix === undefined ? {} : { prefix }),
    ...(other === undefined ? {} : { otherNode: other }),
    ...(pid === undefined ? {} : { pid }),
  };
}
