/** An app store in memory, for a server that a test starts in its own process. */
export { FixedApps } from "../../packages/server/src/core/testing/fixed-apps.ts";
