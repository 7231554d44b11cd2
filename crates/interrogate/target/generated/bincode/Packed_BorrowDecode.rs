impl < '__de, 'a, __Context > :: bincode :: BorrowDecode < '__de, __Context >
for Packed < 'a > where '__de : 'a
{
    fn borrow_decode < __D : :: bincode :: de :: BorrowDecoder < '__de,
    Context = __Context > > (decoder : & mut __D) ->core :: result :: Result <
    Self, :: bincode :: error :: DecodeError >
    {
        core :: result :: Result ::
        Ok(Self
        {
            ends : :: bincode :: BorrowDecode ::< '_, __Context >::
            borrow_decode(decoder) ?, text : :: bincode :: BorrowDecode ::<
            '_, __Context >:: borrow_decode(decoder) ?,
        })
    }
}