/** What the messages service of the reference says, to the letter. */
export const notImplementedText = 'Message-service not implemented yet';
