import { after } from "#core/answer";
import { done } from "../answers.ts";
import type { Endpoint } from "./endpoint.ts";

/** POST /apps/ID/users/USER/terminate_connections: a user whom nobody knows has none, and that is a success. */
export const terminate: Endpoint = ({ users }, { app }, [userId = ""]) =>
  after(users.terminate(app, userId), () => done());
