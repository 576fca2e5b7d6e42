"""Jobs as Elastic Transcoder's clients write and read them.

structures   what they send, member by member, and what each member is in the native job document
documents    from those to native documents
reading      the same, but outputs that were read before are not looked at again
refusals     native refusals in the words and names of the wire
answers      a job as it is answered
serving      the operations
"""
