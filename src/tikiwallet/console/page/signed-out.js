// What happens when a session has ended in the middle of something: the page goes back to signing in.

/** @type {() => void} */
let show = () => {};

/** @param {() => void} shows the page for who isn't signed in */
export function whenSignedOut(shows) {
  show = shows;
}

/** Show the page for who isn't signed in. */
export const signOutShown = () => show();
