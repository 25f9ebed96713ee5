import { occupancyConformance } from "../conformance/occupancy.ts";
import { LocalOccupancy } from "./occupancy.ts";

occupancyConformance("in one process", () => ({ occupancy: new LocalOccupancy() }));
