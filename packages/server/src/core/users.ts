import type { ClientMessage } from "@earshot/protocol/client-message";
import { ProtocolError, protocolError } from "@earshot/protocol/errors";
import * as frames from "@earshot/protocol/server-message";
import { type Digest, userStringToSign } from "@earshot/protocol/signature";
import { parseUserData, type UserData } from "@earshot/protocol/user-data";
import { after, afterAll, attempt } from "./answer.ts";
import type { App } from "./app.ts";
import { verifyClientAuth } from "./client-auth.ts";
import { type Answer, type OnlineUsers, type Terminations, topicOf } from "./ports.ts";
import type { Session, SessionUser } from "./session.ts";
import type { Watchlists } from "./watchlists.ts";

type SignInMessage = Extract<ClientMessage, { type: "signIn" }>;

/** A sign-in that may go ahead: signature and user_data are in order. */
interface Admission {
  readonly data: UserData;
  /** The user_data as it came. */
  readonly text: string;
}

/** Who the connections of this process are signed in as. */
export class Users {
  readonly #sessions = new Map<string, Set<Session>>();
  readonly #online: OnlineUsers;
  readonly #terminations: Terminations;
  readonly #watchlists: Watchlists;
  readonly #digest: Digest;

  constructor(parts: {
    online: OnlineUsers;
    terminations: Terminations;
    watchlists: Watchlists;
    digest: Digest;
  }) {
    this.#online = parts.online;
    this.#terminations = parts.terminations;
    this.#watchlists = parts.watchlists;
    this.#digest = parts.digest;
  }

  /**
   * Success frame, where the watchlist is too long an error, where there is one the state of the watched users; or one
   * frame of refusal. The same user may sign in again: the new user_data takes the place of the old one.
   */
  signIn(session: Session, app: App, message: SignInMessage): Answer<void> {
    const admission = this.#admit(session, app, message);
    if (admission instanceof ProtocolError) return session.refuse(admission);
    const { id, infoJson } = admission.data;
    const { appId, socketId } = session;
    if (session.user !== undefined) return this.#signedIn(session, app, admission);
    session.user = { state: "arriving", id, infoJson, watchlist: [] };
    return attempt(
      () => this.#online.arrive({ appId, userId: id, socketId }),
      (isNew) => this.#arrived(session, app, admission, isNew),
      (problem) => {
        session.user = undefined;
        session.parts.failed(session, problem);
        session.refuse(protocolError("unavailable"));
      },
    );
  }

  /** The session has ended. */
  leave(session: Session): Answer<void> {
    const { user, appId, socketId } = session;
    if (user?.state !== "arrived") return; // an arrival that is still under way sees the end of the session itself
    session.user = undefined;
    this.#watchlists.unwatch(session, user.watchlist);
    this.#forget(session, user);
    return attempt(
      () => this.#online.leave({ appId, userId: user.id, socketId }),
      (isGone) => (isGone ? this.#watchlists.left(appId, user.id) : undefined),
      (problem) => session.parts.failed(session, problem),
    );
  }

  /** Ends all connections that are signed in as the user, wherever they are. */
  terminate(app: App, userId: string): Answer<void> {
    return this.#terminations.terminate(app.id, userId);
  }

  /** This node's part of it. */
  endSessions(appId: string, userId: string): void {
    const sessions = this.#sessions.get(topicOf(appId, userId)) ?? [];
    for (const session of [...sessions]) session.end(protocolError("userTerminated"));
  }

  #admit(session: Session, app: App, message: SignInMessage): Admission | ProtocolError {
    const { auth, userData: text } = message;
    if (typeof text !== "string") return protocolError("userDataInvalid", { problem: "it is not a string" });
    const signed = userStringToSign(session.socketId, text);
    const failure = verifyClientAuth(this.#digest, app, auth, signed, "signInKeyInvalid");
    if (failure !== undefined) return failure;
    const data = parseUserData(text, app.limits);
    if (data instanceof ProtocolError) return data;
    if (session.user !== undefined && session.user.id !== data.id) {
      return protocolError("signedInAsAnother", { user: session.user.id });
    }
    return { data, text };
  }

  #arrived(session: Session, app: App, admission: Admission, isNew: boolean): Answer<void> {
    const { id, infoJson } = admission.data;
    const user: SessionUser = { state: "arrived", id, infoJson, watchlist: [] };
    session.user = user;
    if (!session.isOpen) return this.leave(session);
    this.#remember(session, user);
    session.isAuthorized = true;
    const told = isNew ? this.#watchlists.cameOnline(session.appId, id, session.socketId) : undefined;
    const done = this.#signedIn(session, app, admission);
    return after(afterAll([told, done]), () => undefined);
  }

  #signedIn(session: Session, app: App, { data, text }: Admission): Answer<void> {
    const { id, infoJson } = data;
    const watchlist = app.features.watchlist ? data.watchlist : [];
    const before = session.user?.watchlist ?? [];
    session.user = { state: "arrived", id, infoJson, watchlist };
    this.#watchlists.unwatch(session, before);
    session.send(frames.signinSuccess(text));
    if (app.features.watchlist && data.watchlistAsked > watchlist.length) {
      const measured = { limit: app.limits.maxWatchlist, actual: data.watchlistAsked };
      session.refuse(protocolError("watchlistLimit", { users: watchlist.join(", ") }, measured));
    }
    return this.#watchlists.watch(session, watchlist);
  }

  #remember(session: Session, { id }: SessionUser): void {
    const key = topicOf(session.appId, id);
    const sessions = this.#sessions.get(key) ?? new Set<Session>();
    if (sessions.size === 0) session.tally.signedInUsers++;
    this.#sessions.set(key, sessions.add(session));
  }

  #forget(session: Session, { id }: SessionUser): void {
    const key = topicOf(session.appId, id);
    const sessions = this.#sessions.get(key);
    if (sessions?.delete(session) !== true || sessions.size > 0) return;
    this.#sessions.delete(key);
    session.tally.signedInUsers--;
  }
}
