import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const home = mkdtempSync(join(tmpdir(), "earshot-test-"));

/**
 * Removes everything when the test run is over, however it ends: `bun test` calls no exit handlers, but the pipe to this
 * process ends with it. The servers of the run, which end with it too, get a moment for that.
 */
const broom = Bun.spawn(
  ["sh", "-c", 'trap "" HUP INT TERM; cat >/dev/null; sleep 1; rm -rf "$1"', "broom", home],
  { stdin: "pipe", stdout: "ignore", stderr: "ignore" },
);
broom.unref();

/** A new folder that is gone after the test run. */
export function temporaryFolder(): string {
  if (broom.exitCode !== null) throw new Error("nobody would remove temporary folders");
  return mkdtempSync(join(home, "data-"));
}
