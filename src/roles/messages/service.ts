/** The reply of the reference's messages service, to the letter. */
export const notImplementedText = 'Message-service not implemented yet';
