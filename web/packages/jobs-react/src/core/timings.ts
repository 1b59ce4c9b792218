/** Every wait of the client, in milliseconds, in one place. Tests shorten them. */
export const timings = {
  /** Changes within this time reach the screen together. */
  publish_: 16,
  /** Changes within this time are stored together. */
  persist_: 500,
  /** How long a connection outlives its last user, so that a remount finds it open. */
  linger_: 1_000,
  /** How long the first list waits for the socket, so that nothing falls between the two. */
  firstList_: 1_000,
  /** How long an open socket is given to tell an end that a request has already told. */
  confirm_: 1_500,
  /** How long the first connection may take before polling begins, where attempts hang rather than fail. */
  openGrace_: 8_000,
  connect_: 10_000,
  /** How long a socket that was open may be down before polling begins. */
  downGrace_: 2_000,
  /** The limits of the random wait before attempts at a connection: of the first, and of all. */
  reconnectMin_: 1_000,
  reconnectMax_: 20_000,
  /** Over how long clients spread that a server has told to go. */
  spread_: 15_000,
  /** How soon to ask again for a token when the one in use is about to end and there is no other yet. */
  renewAgain_: 5_000,
  /** How often a tab makes sure that the one whose connection it shares is alive. */
  lifeSign_: 3_000,
  pollMin_: 2_500,
  pollMax_: 15_000,
  /** Polling with nothing to wait for, or while nobody looks. */
  pollIdle_: 30_000,
  /** How long a job that has joined the line is given to start before its place there is asked for. */
  placeFirst_: 1_000,
  /** How often places in line are asked for while a job waits there. */
  placeAgain_: 12_500,
  /** An open socket that has told nothing for this long about running jobs is not taken at its word. */
  silence_: 60_000,
  retryMin_: 1_000,
  retryMax_: 15_000,
  request_: 20_000,
  upload_: 120_000,
};
