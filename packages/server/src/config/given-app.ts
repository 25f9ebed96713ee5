import { checkAppId, checkKeyPair, InvalidApp } from "#core/app";

/** An app as a person hands it over on a command line: `ID:KEY:SECRET`. */
export interface GivenApp {
  readonly id: string;
  readonly key: string;
  readonly secret: string;
}

/** The three parts, or undefined where the text does not have them. None of the three may hold a colon. */
export function parseGivenApp(text: string): GivenApp | undefined {
  const [id, key, secret, ...more] = text.split(":");
  if (id === undefined || key === undefined || secret === undefined || more.length > 0) return undefined;
  if (id === "" || key === "" || secret === "") return undefined;
  return { id, key, secret };
}

/** Does not repeat the secret. */
export function problemOfGivenApp(text: string): string | undefined {
  const given = parseGivenApp(text);
  if (given === undefined) return "is not an app: write ID:KEY:SECRET, three parts with two colons";
  try {
    checkAppId(given.id);
    checkKeyPair(given.key, given.secret);
    return undefined;
  } catch (error) {
    if (error instanceof InvalidApp) return `cannot be an app: ${error.message.replace(/\.$/, "")}`;
    throw error;
  }
}
