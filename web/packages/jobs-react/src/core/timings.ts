/** Every wait of the client, in milliseconds, in one place. Tests shorten them. */
export const timings = {
  /** Changes within this time reach the screen together. */
  publish: 16,
  /** Changes within this time are stored together. */
  persist: 500,
  /** How long a connection outlives its last user, so that a remount finds it open. */
  linger: 1_000,
  /** How long the first list waits for the socket, so that nothing falls between the two. */
  firstList: 1_000,
  /** How long an open socket is given to tell an end that a request has already told. */
  confirm: 1_500,
  /** How long the first connection may take before polling begins, where attempts hang rather than fail. */
  openGrace: 8_000,
  connect: 10_000,
  /** How long a socket that was open may be down before polling begins. */
  downGrace: 2_000,
  /** The limits of the random wait before attempts at a connection: of the first, and of all. */
  reconnectMin: 1_000,
  reconnectMax: 20_000,
  /** Over how long clients spread that a server has told to go. */
  spread: 15_000,
  /** How soon to ask again for a token when the one in use is about to end and there is no other yet. */
  renewAgain: 5_000,
  /** How often a tab makes sure that the one whose connection it shares is alive. */
  lifeSign: 3_000,
  pollMin: 2_500,
  pollMax: 15_000,
  /** Polling with nothing to wait for, or while nobody looks. */
  pollIdle: 30_000,
  /** How long a job that has joined the line is given to start before its place there is asked for. */
  placeFirst: 1_000,
  /** How often places in line are asked for while a job waits there. */
  placeAgain: 12_500,
  /** An open socket that has told nothing for this long about running jobs is not taken at its word. */
  silence: 60_000,
  retryMin: 1_000,
  retryMax: 15_000,
  request: 20_000,
  upload: 120_000,
};
