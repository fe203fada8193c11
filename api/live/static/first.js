// Runs before the other scripts are here, and asks for what the first page shows: its chart waits for nothing else.
import { ahead } from "./api.js";
import { alertsOf, here, slice } from "./state.js";

if (here().page === "" && !document.hidden) {
  ahead("/v1/live", slice());
  ahead("/v1/alerts", alertsOf());
}
