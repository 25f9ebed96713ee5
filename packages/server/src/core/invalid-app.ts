/** An app, or a part of one, that cannot be: the text names the field, the value and what is allowed. */
export class InvalidApp extends Error {
  override readonly name = "InvalidApp";
}
