import { onlineUsersConformance } from "../conformance/online-users.ts";
import { LocalOnlineUsers } from "./online-users.ts";

onlineUsersConformance("in one process", () => {
  const online = new LocalOnlineUsers();
  return { nodes: [online, online] };
});
