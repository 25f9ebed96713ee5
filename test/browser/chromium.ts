/** A headless Chromium, one for all tests of a file. */
import { type Browser, chromium } from "playwright-core";
import { findProgram } from "../../scripts/programs.mjs";

const FLAGS = [
  "--headless",
  "--no-sandbox", // tests may run as root, whom the sandbox does not take
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const chromiumPath = findProgram("chromium");

/** @throws where the machine has none: tests that need it are skipped there */
export function launchChromium(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error("there is no Chromium on this machine");
  return chromium.launch({ executablePath: chromiumPath, args: FLAGS });
}
