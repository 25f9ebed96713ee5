/** A person asked for what cannot be done. The message is one line that says why, and what to do instead. */
export class Refused extends Error {
  override readonly name = "Refused";
}
