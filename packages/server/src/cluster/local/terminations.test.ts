import { terminationsConformance } from "../conformance/terminations.ts";
import { LocalTerminations } from "./terminations.ts";

terminationsConformance("in one process", () => {
  const told: [string, string][] = [];
  const terminations = new LocalTerminations((appId, userId) => told.push([appId, userId]));
  return { terminations, told: [told], settle: async () => {} };
});
