"""Jobs as Elastic Transcoder's clients write and read them.

structures   what they send, member by member, and what each member is in the native job document
translation  from those to native documents and back, both ways made from the structures
refusals     native refusals in the words and names of the wire
answers      a job as it is answered
serving      the operations
"""
