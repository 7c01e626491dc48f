// Binary values in the server's JSON: base64url without padding.

/** Return bytes as base64url without padding. @param {Uint8Array} data */
export function toBase64Url(data) {
  const text = btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(""));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** Return the bytes of base64url. Throws DOMException for anything else. @param {string} text */
export function fromBase64Url(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
